add_library(fob_journal_test_support STATIC ${CMAKE_CURRENT_LIST_DIR}/journal_support.c
    ${CMAKE_CURRENT_LIST_DIR}/journal_disk.c ${CMAKE_CURRENT_LIST_DIR}/journal_calm.c)
target_link_libraries(fob_journal_test_support PUBLIC fob_journal PkgConfig::CMOCKA)

foreach(noun lineage file contract faults tail checkpoint folder crash start missing gone clock forged copies)
    fob_test(NAME journal_${noun} LABEL unit
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_journal_${noun}.c
        LIBRARIES fob_journal_test_support)
endforeach()

# A salvage reads through the table of this test.
fob_test(NAME journal_unreadable LABEL unit LIBRARIES fob_journal_test_support -Wl,--wrap=fob_disk_look
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_journal_unreadable.c)
