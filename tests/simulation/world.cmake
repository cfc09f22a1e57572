# The simulator: the bus's own parts and its clients' in a world of one thread.
file(GLOB checkers CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/checkers/*.c)
add_executable(simulate simulate.c sim_world.c sim_bus.c sim_letters.c sim_decided.c sim_client.c sim_publisher.c sim_worker.c sim_operator.c sim_subscriber.c sim_broadcast.c sim_live.c sim_witness.c
    sim_network.c sim_history.c sim_log.c sim_log_journal.c sim_folder.c sim_tap.c sim_harm.c sim_event.c sim_reached.c sim_planted.c ${checkers})
target_link_libraries(simulate PRIVATE fob_flags fob_simulation fob_bus fob_publishers fob_subscribers)

fob_test(NAME sim_checkers LABEL simulation SOURCES test_checkers.c sim_witness.c sim_event.c sim_history.c sim_reached.c ${checkers}
    LIBRARIES fob_simulation fob_bus)

# A world has one thread: what ThreadSanitizer may see of it is seen in fewer, shorter ones.
set(many 8)
set(few 3)
if(FOB_SANITIZE MATCHES "thread")
    set(many 3)
    set(few 1)
endif()

foreach(seed 1 1001 2001)
    fob_case(NAME simulation.world.keeps_every_promise_from_seed_${seed} LABEL simulation TIMEOUT 120
        COMMAND simulate --journal memory --seed ${seed} --seeds ${many} --steps 10000)
endforeach()

# On the real file journal.
foreach(seed 1 1001 2001)
    fob_case(NAME simulation.world.keeps_every_promise_on_the_file_journal_from_seed_${seed}
        LABEL simulation TIMEOUT 240 COMMAND simulate --journal file --seed ${seed} --seeds ${many} --steps 10000)
endforeach()
foreach(journal memory file)
    fob_case(NAME simulation.world.repeats_a_seed_to_the_byte_on_the_${journal}_journal
        LABEL simulation TIMEOUT 240 COMMAND simulate --journal ${journal} --seed 31 --seeds ${few} --steps 10000 --twice)
endforeach()

# So many that each checker has to look, and that all is reached which worlds are to reach; in the short ones only the first.
if(FOB_SANITIZE MATCHES "thread")
    fob_case(NAME simulation.world.every_checker_looks LABEL simulation TIMEOUT 600
        COMMAND simulate --seed 3001 --seeds 20 --steps 3000)
else()
    fob_case(NAME simulation.world.reaches_what_a_bus_may_meet LABEL simulation TIMEOUT 600
        COMMAND simulate --seed 3001 --seeds 50 --steps 10000)
endif()

include(planted.cmake)
