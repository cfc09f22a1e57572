fob_test(NAME cli_options LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_options.c LIBRARIES fob_cli)
fob_test(NAME cli_said LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_said.c LIBRARIES fob_cli)
fob_test(NAME cli_when LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_when.c LIBRARIES fob_cli)
fob_test(NAME cli_json LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_json.c LIBRARIES fob_cli)
fob_test(NAME cli_show LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_show.c LIBRARIES fob_cli)
fob_test(NAME cli_input LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_input.c LIBRARIES fob_cli)
fob_test(NAME cli_outcome LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_outcome.c
    ${PROJECT_SOURCE_DIR}/publishers/commands/outcome.c LIBRARIES fob_cli)
fob_test(NAME cli_table LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_table.c
    ${PROJECT_SOURCE_DIR}/bus/commands/table.c LIBRARIES PkgConfig::JANSSON)
fob_test(NAME cli_process LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_process.c
    LIBRARIES fob_test_support)
fob_test(NAME cli_handlers LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_handlers.c
    ${PROJECT_SOURCE_DIR}/subscribers/commands/handlers.c ${PROJECT_SOURCE_DIR}/subscribers/commands/environment.c
    ${PROJECT_SOURCE_DIR}/subscribers/commands/firsts.c ${PROJECT_SOURCE_DIR}/subscribers/commands/tied.c
    ${PROJECT_SOURCE_DIR}/subscribers/commands/spawn.c ${PROJECT_SOURCE_DIR}/subscribers/commands/tee.c
    LIBRARIES fob_cli fob_subscribers fob_test_support)
fob_test(NAME publisher_stop LABEL unit LIBRARIES fob_publishers
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_publisher_stop.c ${CMAKE_CURRENT_LIST_DIR}/model_bus.c)
target_include_directories(test_publisher_stop PRIVATE ${PROJECT_SOURCE_DIR}/tests)
fob_test(NAME cli_tee LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_tee.c
    ${PROJECT_SOURCE_DIR}/subscribers/commands/tee.c LIBRARIES fob_cli)
fob_test(NAME cli_news LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_news.c
    ${PROJECT_SOURCE_DIR}/subscribers/commands/news.c LIBRARIES fob_cli)
# Memory is refused to what the commands are made of.
set(parts bus/commands/config)
foreach(noun handlers environment firsts tied spawn tee work_run)
    list(APPEND parts subscribers/commands/${noun})
endforeach()
list(TRANSFORM parts PREPEND ${PROJECT_SOURCE_DIR}/)
list(TRANSFORM parts APPEND .c)
fob_scarce_test(NAME cli_scarce WATCH fob_worker_new fob_worker_wait_ready fob_worker_next fob_worker_flush
    fob_worker_destroy SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_scarce.c ${parts}
    LIBRARIES fob_bus fob_cli fob_subscribers)
# What `fob bench` is made of.
foreach(noun histogram stamp tally board)
    fob_test(NAME bench_${noun} LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_bench_${noun}.c LIBRARIES fob_cli)
endforeach()
fob_test(NAME cli_figure LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_figure.c
    ${PROJECT_SOURCE_DIR}/bus/commands/figure.c LIBRARIES fob_flags)
fob_scarce_test(NAME bench_scarce WATCH fob_publisher_new fob_subscriber_new
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_bench_scarce.c ${PROJECT_SOURCE_DIR}/publishers/commands/bench_load.c
    ${PROJECT_SOURCE_DIR}/subscribers/commands/bench_gauge.c ${PROJECT_SOURCE_DIR}/subscribers/commands/bench_seen.c
    LIBRARIES fob_cli fob_publishers fob_subscribers)
