/* planted: bugs that are put in on purpose, so that it is seen whether the simulator finds them.
 *
 * Where a name of the list stands in the code, the code is as it should be without it. Only the
 * program `simulate_planted`, which is built with the tests, compiles those files once more with
 * FOB_PLANTED_BUGS and switches one of them on; everywhere else each is the constant 0, and nothing
 * of it is left. tests/simulation/PLANTED.md tells which checker finds which, and how soon.
 *
 * To add one: a row here, `FOB_PLANTED (NAME)` at its place, the file in planted.cmake beside the
 * simulator, and `./run mutants --write`. */
#ifndef FOB_PROTO_PLANTED_H
#define FOB_PROTO_PLANTED_H

/* Name, what it breaks. */
#define FOB_PLANTED_MAP(X)                                                                         \
    X(CONFIRM_BEFORE_SYNC, "a receipt leaves before its commit is durable")                        \
    X(DELIVER_BEFORE_SYNC, "a delivery leaves before what it rests on is durable")                 \
    X(SETTLED_BEFORE_SYNC, "a settle is answered before its commit is durable")                    \
    X(COMMIT_NOT_SYNCED, "the file journal tells commits durable without a sync")                  \
    X(SYNC_FAILURE_IGNORED, "a sync that failed is taken for one that did not")                    \
    X(SEGMENT_LEFT_UNSYNCED, "a segment that is full is closed without a sync")                    \
    X(FOLDER_NOT_SYNCED, "new names in the folder are not synced")                                 \
    X(TAIL_NOT_CUT, "a torn tail stays, and what comes is written behind it")                      \
    X(TAIL_NOT_REWRITTEN, "after a failed sync the next start believes what it reads")             \
    X(CHECKSUM_NOT_CHECKED, "a commit is read without its checksum")                               \
    X(LAZY_FORGOTTEN, "settles wait for a publish, however long that takes")                       \
    X(TRIM_ONE_TOO_FAR, "the journal may be trimmed one event above the floor")                    \
    X(REPLAY_SKIPS_RECORD, "one record in 64 is not replayed")                                     \
    X(ID_NOT_IN_CHECKPOINT, "one id in eight is forgotten at a checkpoint")                        \
    X(LETTER_REDRIVEN_TWICE, "a replayed redrive leaves the dead letter where it was")             \
    X(ANSWERS_FORGOTTEN, "what a session was answered is forgotten: a resend is stored again")     \
    X(LIVE_FORGOTTEN, "to make room the sessions of those who are connected are forgotten")        \
    X(LOST_IS_DONE, "who broke off is forgotten as if it had said that it will not come back")     \
    X(WINDOW_TOO_LONG, "an id is known ten times as long as the window")                           \
    X(WINDOW_TOO_SHORT, "an id is forgotten after half of the window, and stored again")           \
    X(IDS_TOO_MANY, "ten times as many ids are known as may be")                                   \
    X(TOPIC_STAYS_OPEN, "an event is stored although an earlier one of its topic is refused")      \
    X(TOPIC_STAYS_CLOSED, "one refused event in eight may come again, and its topic stays closed") \
    X(BUSY_ALWAYS, "publishers are refused for a group that is not full")                          \
    X(BUSY_EARLY, "a group that is half full is called full, and deeper than it is")               \
    X(LIMIT_ONE_TOO_HIGH, "a full group takes one event more")                                     \
    X(SHED_ONE_TOO_MANY, "a group sheds though it is not over its limit")                          \
    X(DROP_COUNTED_TWICE, "what is shed counts twice")                                             \
    X(ACK_COUNTED_TWICE, "one ack in 64 counts twice")                                             \
    X(ATTEMPT_LOST, "one failed attempt in four does not count")                                   \
    X(ATTEMPT_TOO_MANY, "an event is tried once more than max_attempts")                           \
    X(NO_BACKOFF, "what failed is ready again at once")                                            \
    X(AGE_IGNORED, "what fails comes back, however old it is")                                     \
    X(TOO_OLD_GOES_OUT, "what is older than max_age is handed out")                                \
    X(LEASE_IGNORED, "handlers have no bound, whatever the group says")                            \
    X(STALE_SETTLE, "a settle with an older token is honoured")                                    \
    X(STALE_CLAIM, "a worker that comes back may claim with an older token")                       \
    X(CLAIM_REFUSED, "a worker that comes back keeps nothing of what it claims")                   \
    X(TOKEN_REUSED, "after a restart tokens are given again")                                      \
    X(DELIVERED_TWICE, "the last event of a delivery is in the next one too")                      \
    X(PRIORITY_IGNORED, "of the events with a priority the lowest goes first")                     \
    X(BACK_REVERSED, "of what came back the highest offset goes first")                            \
    X(DROP_LOWEST_IGNORED, "a group that is to shed the lowest priority sheds the oldest")         \
    X(WAKE_FORGOTTEN, "what has waited out its back-off wakes nobody")                             \
    X(SPAN_TOO_LONG, "two events are sent as if their bytes were neighbours")                      \
    X(PURGE_SPARES_DELAYED, "a purge forgets those that wait for a time")                          \
    X(GENERATION_KEPT, "a reset begins the books anew under the old generation")                   \
    X(PLACE_FORGOTTEN, "a moved event is read from where it was")                                  \
    X(BROKEN_GIVES_AT_ONCE, "what a broken connection held goes to others at once")                \
    X(HEARD_IS_PROOF, "a worker that hears the bus takes it that the bus hears it")                \
    X(WAITING_CLAIMED_FIRST, "a worker that comes back claims what waits before what runs")        \
    X(SETTLE_OF_OTHERS, "a worker joins settles whose tokens are no neighbours")                   \
    X(RECEIPT_SHIFTED, "all receipts of a run name the first one's offset")                        \
    X(LOSS_UNTOLD, "a subscriber is not told what the broadcast lost")                             \
    X(RECEIPT_UNTOLD, "a publisher is not told of one event in 64")                                \
    X(ANSWER_LOST, "the bus does not send the answers that wait for one commit in 64")             \
    X(ACK_SENT_AS_RELEASE, "a worker sends one ack in 64 as a release")                            \
    X(CREDIT_IGNORED, "a delivery may have one event more than there is credit for")               \
    X(PAUSE_IGNORED, "a group that is paused hands out")                                           \
    X(PREV_IGNORED, "a subscriber takes a message whatever is missing before it")                  \
    X(ON_ITS_WAY_IS_HERE, "of a topic of which more is on its way, what is below counts as had")   \
    X(RECENT_TAKEN_TWICE, "what came while the journal was read is taken though it was read")      \
    X(GONE_TOLD_SHORT, "of a range that is gone the last offset is not told")                      \
    X(GONE_TOLD_LONG, "one offset more is told to be gone, and is not read")                       \
    X(FLOOR_IGNORED, "a subscriber believes the bus in what it cannot vouch for")                  \
    X(MARK_FORGOTTEN, "where topics have no place one is forgotten that is needed")                \
    X(HEAD_IGNORED, "a beat does not make a subscriber ask whether all is there")                  \
    X(FULL_IS_TAKEN, "what of a message has no room in the queue counts as taken")                 \
    X(HOLE_ONE_SHORT, "in notify the first event of a hole is not asked for")                      \
    X(NOTICES_JOINED, "two ranges that are lost are told as one")                                  \
    X(EPOCH_KEPT, "what a subscriber has of the epoch before counts in the new one")               \
    X(PAGE_SKIPS_ONE, "a page that is full is resumed one event too far")                          \
    X(REPLAY_LINKS_NOTHING, "after a start the bus does not know a topic's last events")           \
    X(PREV_UNTOLD, "a message of the broadcast does not name the one before it")                   \
    X(PART_TAKEN_FOR_ALL, "what the bus says of a part of the topics counts for all")              \
    X(PART_HALF_TOLD, "of a part of the topics the bus tells half")                                \
    X(RUN_BEHIND_GAP, "offsets that came without a gap count as all, though one is before them")

typedef enum {
    FOB_PLANT_NONE,
#define FOB_PLANT_NUMBER(name, text) FOB_PLANT_##name,
    FOB_PLANTED_MAP(FOB_PLANT_NUMBER)
#undef FOB_PLANT_NUMBER
} fob_plant_t;

#ifdef FOB_PLANTED_BUGS
extern fob_plant_t fob_planted; /* which one, or NONE; set before anything runs */
#define FOB_PLANTED(name) (fob_planted == FOB_PLANT_##name)
#else
#define FOB_PLANTED(name) ((int)FOB_PLANT_##name < 0)
#endif

#endif
