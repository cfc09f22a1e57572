# fob_scarce_test (NAME topic SOURCES test_topic.c LIBRARIES fob_proto [WATCH function...] [LABEL unit] [TIMEOUT seconds])
#
# A fob_test whose allocations are counted and refused (tests/unit/scarce.h): the linker leads them to scarce.c. The
# functions in WATCH are led to __wrap_FUNCTION too, which the test defines (tests/unit/watched.h).
set_property(GLOBAL PROPERTY FOB_SCARCE_TESTS "")
function(fob_scarce_test)
    cmake_parse_arguments(T "" "NAME;LABEL;TIMEOUT" "SOURCES;LIBRARIES;WATCH" ${ARGN})
    if(NOT T_LABEL)
        set(T_LABEL unit)
    endif()
    set(unit ${PROJECT_SOURCE_DIR}/tests/unit)
    set(wraps -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup)
    foreach(function ${T_WATCH})
        list(APPEND wraps -Wl,--wrap=${function})
    endforeach()
    fob_test(NAME ${T_NAME} LABEL ${T_LABEL} TIMEOUT ${T_TIMEOUT} LIBRARIES ${T_LIBRARIES} ${wraps}
        SOURCES ${T_SOURCES} ${unit}/scarce.c ${PROJECT_SOURCE_DIR}/tests/support/faults.c)
    target_include_directories(test_${T_NAME} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${unit})
    # Each case leaves a note of the places it met.
    get_property(cases DIRECTORY PROPERTY TESTS)
    list(FILTER cases INCLUDE REGEX "^${T_LABEL}\\.${T_NAME}\\.")
    foreach(case ${cases})
        string(REGEX REPLACE ".*\\." "" word ${case})
        set_property(TEST ${case} APPEND PROPERTY ENVIRONMENT
            "FOB_PLACES=${PROJECT_BINARY_DIR}/places/test_${T_NAME}.${word}")
        set_property(TEST ${case} PROPERTY FIXTURES_SETUP scarce)
    endforeach()
    set_property(GLOBAL APPEND PROPERTY FOB_SCARCE_TESTS test_${T_NAME})
endfunction()

# Places whose lines are known: neither a sanitizer's nor an instrumented build.
function(fob_scarce_places)
    get_property(tests GLOBAL PROPERTY FOB_SCARCE_TESTS)
    list(TRANSFORM tests REPLACE "(.+)" "$<TARGET_FILE:\\1>")
    fob_case(NAME package.scarce.a_story_meets_every_allocation LABEL package
        COMMAND ${PROJECT_SOURCE_DIR}/tests/unit/scarce_places ${PROJECT_BINARY_DIR}/places ${tests})
    set_tests_properties(package.scarce.a_story_meets_every_allocation PROPERTIES
        FIXTURES_REQUIRED scarce WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/places)
