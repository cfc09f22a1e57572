/* Every event that was offered gets one receipt. */
#include "checker.h"

typedef struct {
    uint64_t offered,
        answered; /* the last serial of each kind, as receipts may come in any order */
    uint8_t *got;
    size_t room;
} publisher_t;

typedef struct {
    publisher_t *publishers;
    size_t room;
} own_t;

static publisher_t *publisher_of(sim_checker_t *self, uint32_t index) {
    own_t *own = self->own;
    while (index >= own->room)
        own->publishers = sim_grow(own->publishers, own->room, &own->room, sizeof *own->publishers);
    return &own->publishers[index];
}

static void receipt(sim_checker_t *self, const sim_fact_t *fact) {
    publisher_t *one = publisher_of(self, fact->publisher);
    while (fact->serial >= one->room)
        one->got = sim_grow(one->got, one->room, &one->room, 1);
    SIM_HOLD(self, fact->serial <= one->offered && !one->got[fact->serial],
             "publisher %u got a receipt too many for event %llu", fact->publisher,
             (unsigned long long)fact->serial);
    one->got[fact->serial] = 1;
    one->answered++;
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind == SIM_OFFERED)
        publisher_of(self, fact->publisher)->offered = fact->serial;
    else if (fact->kind == SIM_RECEIPT)
        receipt(self, fact);
    else if (fact->kind == SIM_END)
        for (size_t i = 0; i < own->room; i++)
            SIM_HOLD(self, own->publishers[i].offered == own->publishers[i].answered,
                     "publisher %u offered %llu events and got %llu receipts", (unsigned)i,
                     (unsigned long long)own->publishers[i].offered,
                     (unsigned long long)own->publishers[i].answered);
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    for (size_t i = 0; i < own->room; i++)
        free(own->publishers[i].got);
    free(own->publishers);
}

const sim_checker_ops_t sim_check_receipts = {"every event that was taken has one receipt",
                                              sizeof(own_t), fact, end};
