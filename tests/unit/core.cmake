# A core with a journal of bytes around it.
add_library(fob_core_kit STATIC ${CMAKE_CURRENT_LIST_DIR}/test_core_kit.c
    ${CMAKE_CURRENT_LIST_DIR}/test_core_effect.c)
target_link_libraries(fob_core_kit PUBLIC fob_core PkgConfig::CMOCKA)
target_include_directories(fob_core_kit PUBLIC ${PROJECT_SOURCE_DIR})

# The core's queue logic.
foreach(topic tables topics chain chain_kept writer dedup record record_bounds cache pages publish present worker restart checkpoint copy answers inquiry redrive seek dead strangers salvage salvage_records salvage_worlds)
    fob_test(NAME core_${topic} LABEL unit
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_${topic}.c
        LIBRARIES fob_core_kit)
endforeach()

# What a checkpoint is made of; and where memory is refused.
set(whole ${CMAKE_CURRENT_LIST_DIR}/test_core_whole.c)
fob_test(NAME core_units LABEL unit LIBRARIES fob_core_kit
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_units.c ${whole})
fob_scarce_test(NAME core_units_memory LIBRARIES fob_core_kit
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_units_memory.c ${whole})

# What the fuzzer found.
foreach(topic forged forged_checkpoint)
    fob_test(NAME core_${topic} LABEL unit LIBRARIES fob_core_kit
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_${topic}.c ${CMAKE_CURRENT_LIST_DIR}/test_core_whole.c)
endforeach()

fob_test(NAME core_last_numbers LABEL unit LIBRARIES fob_core_kit
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_last_numbers.c ${CMAKE_CURRENT_LIST_DIR}/test_core_queue.c)

# What comes in.
foreach(topic busy limits duplicates full)
    fob_test(NAME core_${topic} LABEL unit
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_${topic}.c
        LIBRARIES fob_core_kit)
endforeach()

# What goes out, and in which order.
fob_test(NAME core_prio LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_prio.c LIBRARIES fob_core)
foreach(topic handout debt census interplay)
    fob_test(NAME core_${topic} LABEL unit
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_${topic}.c ${CMAKE_CURRENT_LIST_DIR}/test_core_queue.c
        LIBRARIES fob_core_kit)
endforeach()

# The same where the core's allocations fail, one after the other.
fob_scarce_test(NAME core_scarce LIBRARIES fob_core_kit WATCH fob_core_step fob_core_take
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_scarce.c ${CMAKE_CURRENT_LIST_DIR}/test_core_queue.c
        ${CMAKE_CURRENT_LIST_DIR}/core_scarce.c)

# A seeded world around it.
fob_test(NAME core_seeded LABEL unit TIMEOUT 300
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_seeded.c ${CMAKE_CURRENT_LIST_DIR}/test_core_model.c
        ${CMAKE_CURRENT_LIST_DIR}/test_core_witness.c ${CMAKE_CURRENT_LIST_DIR}/test_core_books.c
        ${CMAKE_CURRENT_LIST_DIR}/test_core_agree.c
        ${CMAKE_CURRENT_LIST_DIR}/test_core_publishers.c ${CMAKE_CURRENT_LIST_DIR}/test_core_workers.c
        ${CMAKE_CURRENT_LIST_DIR}/test_core_operators.c ${CMAKE_CURRENT_LIST_DIR}/test_core_sheds.c
    LIBRARIES fob_core_kit)

# Not a test: `cmake --build . --target core_speed`.
add_executable(core_speed EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/test_core_speed.c)
target_link_libraries(core_speed PRIVATE fob_core)

# Its allocations are counted, and refused.
fob_scarce_test(NAME core_memory SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_memory.c LIBRARIES fob_core)

# What an operator does to groups, and what is said of them.
foreach(topic policy groups stats moved)
    fob_test(NAME core_${topic} LABEL unit
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_${topic}.c
        LIBRARIES fob_core_kit)
endforeach()

# Memory is refused to requests that wait.
fob_scarce_test(NAME core_inquiry_memory LIBRARIES fob_core_kit WATCH fob_core_step fob_core_take
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_inquiry_memory.c ${CMAKE_CURRENT_LIST_DIR}/core_scarce.c)

# How leases end, and what is kept of it.
fob_test(NAME core_history LABEL unit
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_history.c LIBRARIES fob_core)
foreach(topic settle lease overdue sparing dead_limits runs)
    fob_test(NAME core_${topic} LABEL unit
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_${topic}.c
            ${CMAKE_CURRENT_LIST_DIR}/test_core_worker_kit.c
        LIBRARIES fob_core_kit)
endforeach()
