/* outgoing: `fob pub` and the library: one event, or lines in a window. Main thread. */
#ifndef FOB_OUTGOING_H
#define FOB_OUTGOING_H

#include "publishers/commands/offer.h"

/* Publishes one event and waits for its receipt. The exit code; where it is not FOB_EXIT_OK, it was
 * said why. */
int fob_outgoing_one(const fob_cli_t *cli, fob_offer_t *offer, const fob_offered_t *offered);

/* Publishes each line of standard input as it arrives. At the first that fails it stops: every
 * earlier line is stored, no later one. The exit code, as above. */
int fob_outgoing_lines(const fob_cli_t *cli, fob_offer_t *offer);

#endif
