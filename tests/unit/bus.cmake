# What the bus is made of, without sockets.
foreach(noun gate ears peers reading outbox letters joins flights router pace jump needs ledger traffic conduct subscriptions terms clerk warnings figures settings config service service_past)
    fob_test(NAME ${noun} LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${noun}.c LIBRARIES fob_bus fob_cli)
endforeach()
# The reader of the configuration file is part of the program, not of the library.
target_sources(test_config PRIVATE ${PROJECT_SOURCE_DIR}/bus/commands/config.c)

# With real journals around it.
foreach(topic moved full forged)
    fob_test(NAME ledger_${topic} LABEL unit TIMEOUT 120
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_ledger_${topic}.c
        LIBRARIES fob_bus fob_journal_test_support)
endforeach()
target_link_libraries(test_ledger_forged PRIVATE fob_core_kit)

# Memory is refused to all of it.
set(watch round news message turn perform)
list(TRANSFORM watch PREPEND fob_service_)
fob_scarce_test(NAME service_scarce LIBRARIES fob_bus WATCH ${watch}
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_service_scarce.c)

# The N-th call to the disk or the N-th allocation fails while a whole folder is read or written.
fob_scarce_test(NAME folders_nth LIBRARIES fob_bus fob_journal_test_support TIMEOUT 120
    WATCH fob_disk_real fob_disk_look fob_runtime_real fob_journal_file_open poll
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_folders_nth.c ${PROJECT_SOURCE_DIR}/tests/support/faults_disk.c)
fob_scarce_test(NAME bus_scarce LIBRARIES fob_bus TIMEOUT 120 SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_bus_scarce.c)
