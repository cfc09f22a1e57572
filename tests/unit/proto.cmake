# The language of the bus.
foreach(noun blob buf pool ring cursor topic envelope event wire runs cast status duration amount
        uniform)
    fob_test(NAME ${noun} LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${noun}.c
        LIBRARIES fob_proto Threads::Threads)
endforeach()

# These read proto/vectors.json and proto/PROTOCOL.md.
foreach(noun vectors page)
    fob_test(NAME ${noun} LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${noun}.c
        LIBRARIES fob_proto PkgConfig::JANSSON)
endforeach()
