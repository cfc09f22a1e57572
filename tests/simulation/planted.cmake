# The simulator with bugs to be found: the files that have such, compiled once more, stand before the libraries that hold
# them as they should be.
set(planted
    bus/core/admin/moved.c
    bus/core/core.c
    bus/core/durable/apply_events.c
    bus/core/durable/apply_reset.c
    bus/core/durable/apply_runs.c
    bus/core/durable/checkpoint.c
    bus/core/events/lasts.c
    bus/core/group/back.c
    bus/core/publish/dedup.c
    bus/core/publish/judge.c
    bus/core/publish/limits.c
    bus/core/publish/shed.c
    bus/core/publish/store.c
    bus/core/publish/writer.c
    bus/core/work/delivery.c
    bus/core/work/fate.c
    bus/core/work/handout.c
    bus/core/work/join.c
    bus/core/work/lease.c
    bus/core/work/settle.c
    bus/core/work/walk.c
    bus/fetch/fetches.c
    bus/journal/committer.c
    bus/journal/format.c
    bus/journal/recovery.c
    bus/journal/store.c
    bus/ledger/outbox.c
    bus/service/service.c
    proto/link/link.c
    publishers/answers.c
    publishers/ending.c
    subscribers/lease/claims.c
    subscribers/sequence/marks.c
    subscribers/sequence/sequencer.c
    subscribers/sequence/sequencer_fetch.c
    subscribers/sequence/sequencer_heard.c
    subscribers/sequence/sequencer_whole.c
    subscribers/lease/settles.c)
list(TRANSFORM planted PREPEND ${PROJECT_SOURCE_DIR}/)
get_target_property(world simulate SOURCES)
add_executable(simulate_planted ${world} ${planted})
target_compile_definitions(simulate_planted PRIVATE FOB_PLANTED_BUGS)
target_link_libraries(simulate_planted PRIVATE fob_flags fob_simulation fob_bus fob_publishers fob_subscribers)

# Those that were found soon when the table was written are found again.
if(NOT FOB_SANITIZE AND NOT FOB_COVERAGE)
    fob_case(NAME simulation.planted.bugs_are_found LABEL simulation TIMEOUT 900
        COMMAND ${CMAKE_CURRENT_LIST_DIR}/mutants --binary $<TARGET_FILE:simulate_planted> --quick
            --document ${CMAKE_CURRENT_LIST_DIR}/PLANTED.md)
endif()
