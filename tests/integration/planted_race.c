/* planted_race: makes the two actors of a bus that was built with FOB_PLANTED_RACE work side by
 * side. The report of ThreadSanitizer is what the test looks for. */
#include "tests/integration/bus_up.h"

int main(void) {
    fob_bus_t *bus = bus_up();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(dealer, "publisher", 1);
    for (uint64_t number = 1; number <= 500; number++) {
        dealer_publish(dealer, number, "order_placed", 1);
        dealer_receipts(dealer, number, 1, FOB_OK);
    }
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
    puts("no race was seen");
    return 0;
}
