# libfob, shared and static, from the very objects of the parts: nothing is compiled twice.
set(FOB_PARTS)
foreach(part fob_proto fob_link fob_core fob_fetch fob_journal fob_ledger fob_settings fob_service fob_guard fob_report
        fob_bus fob_publishers fob_lease fob_sequence fob_once fob_subscribers)
    if(TARGET ${part})
        list(APPEND FOB_PARTS ${part})
    endif()
endforeach()
set(objects)
foreach(part ${FOB_PARTS})
    list(APPEND objects $<TARGET_OBJECTS:${part}>)
endforeach()
set(FOB_DEPENDENCIES PkgConfig::CZMQ PkgConfig::ZMQ PkgConfig::MSGPACK PkgConfig::XXHASH PkgConfig::LMDB
    Threads::Threads)

add_library(fob_shared SHARED ${objects})
add_library(fob_static STATIC ${objects})
foreach(library fob_shared fob_static)
    add_dependencies(${library} ${FOB_PARTS})
    set_target_properties(${library} PROPERTIES OUTPUT_NAME fob LINKER_LANGUAGE C)
    target_include_directories(${library} INTERFACE
        $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include> $<INSTALL_INTERFACE:include>)
    target_link_libraries(${library} PRIVATE ${FOB_DEPENDENCIES})
endforeach()
target_link_libraries(fob_shared PRIVATE $<BUILD_INTERFACE:fob_flags>)
if(NOT FOB_SANITIZE)
    # Sanitizers leave their own symbols to the program.
    target_link_options(fob_shared PRIVATE -Wl,--no-undefined)
endif()
# The major number stays 0 until the interface is promised; then it is the soname's.
set_target_properties(fob_shared PROPERTIES EXPORT_NAME fob VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR})

# In the tree under the names that users of the installed package know.
add_library(fob::fob ALIAS fob_shared)
add_library(fob::fob_static ALIAS fob_static)
