# The clients that listen: the pure parts, then the shells against a bus of the test's own.
if(TARGET fob_subscribers)
    foreach(noun leases leases_begin settles sequencer sequencer_amiss sequencer_reliable sequencer_history
            sequencer_epochs sequencer_begin sequencer_whole sequencer_lasts newest marks)
        fob_test(NAME ${noun} LABEL unit LIBRARIES fob_subscribers
            SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${noun}.c)
    endforeach()
    fob_test(NAME leases_seeded LABEL unit LIBRARIES fob_subscribers
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_leases_seeded.c ${CMAKE_CURRENT_LIST_DIR}/test_leases_bus.c)
    set(world ${CMAKE_CURRENT_LIST_DIR}/test_sequencer)
    fob_test(NAME sequencer_seeded LABEL unit LIBRARIES fob_subscribers
        SOURCES ${world}_seeded.c ${world}_world.c ${world}_bus.c ${world}_reader.c)
    fob_test(NAME worker LABEL unit LIBRARIES fob_subscribers
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_worker.c ${CMAKE_CURRENT_LIST_DIR}/fake_bus.c)
    fob_test(NAME subscriber LABEL unit LIBRARIES fob_subscribers
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_subscriber.c)
    foreach(noun leases leases_seeded leases_begin settles sequencer sequencer_amiss sequencer_seeded sequencer_reliable
            sequencer_history sequencer_epochs sequencer_begin sequencer_whole sequencer_lasts newest marks worker
            subscriber)
        target_include_directories(test_${noun} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    endforeach()
    # Several processes on one folder; damage; then its memory and its disk fail, call by call.
    foreach(topic once once_record once_damage)
        fob_test(NAME ${topic} LABEL unit LIBRARIES fob_subscribers fob_test_support TIMEOUT 120
            SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${topic}.c)
    endforeach()
    set(watch env_create env_open env_info env_set_mapsize env_sync reader_check txn_begin txn_commit dbi_open stat
        get put del cursor_open cursor_get cursor_del)
    list(TRANSFORM watch PREPEND mdb_)
    fob_scarce_test(NAME once_faults SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_once_faults.c
        LIBRARIES fob_subscribers fob_test_support WATCH ${watch} mmap TIMEOUT 120)
    # Memory is refused to the pure parts.
    set(watch leases_up leases_down leases_input leases_round leases_output leases_next leases_settle
        sequencer_take sequencer_move batch_next)
    list(TRANSFORM watch PREPEND fob_)
    fob_scarce_test(NAME leases_scarce LIBRARIES fob_subscribers WATCH ${watch}
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_leases_scarce.c)
    set(watch new up beat input take round move)
    list(TRANSFORM watch PREPEND fob_sequencer_)
    fob_scarce_test(NAME sequencer_scarce LIBRARIES fob_subscribers WATCH ${watch}
        SOURCES ${world}_scarce.c ${world}_world.c ${world}_bus.c ${world}_reader.c)
endif()
