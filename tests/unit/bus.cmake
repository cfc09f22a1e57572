# What the bus is made of, without sockets.
foreach(noun gate peers outbox letters joins flights router pace jump needs ledger traffic subscriptions terms clerk warnings settings config service)
    fob_test(NAME ${noun} LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${noun}.c LIBRARIES fob_bus fob_cli)
endforeach()
# The reader of the configuration file is part of the program, not of the library.
target_sources(test_config PRIVATE ${PROJECT_SOURCE_DIR}/bus/commands/config.c)

# With real journals around it.
foreach(topic moved full)
    fob_test(NAME ledger_${topic} LABEL unit TIMEOUT 120
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_ledger_${topic}.c
        LIBRARIES fob_bus fob_journal_test_support)
endforeach()

# Memory is refused to all of it.
set(wraps -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
foreach(function round news message turn perform)
    list(APPEND wraps -Wl,--wrap=fob_service_${function})
endforeach()
fob_test(NAME service_scarce LABEL unit LIBRARIES fob_bus ${wraps}
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_service_scarce.c ${CMAKE_CURRENT_LIST_DIR}/scarce.c
        ${PROJECT_SOURCE_DIR}/tests/support/faults.c)
