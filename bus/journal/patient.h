/* patient: a disk that is only read, and whose bad blocks are read as zeros: what cannot be read is
 * then found to be damaged, and the rest is had. */
#ifndef FOB_JOURNAL_PATIENT_H
#define FOB_JOURNAL_PATIENT_H

#include "bus/journal/disk.h"

const fob_disk_t *fob_disk_patient(void);

#endif
