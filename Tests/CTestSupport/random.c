#include "CTestSupport.h"

#include <string.h>

void cts_fill_random(void *memory, size_t count, uint64_t seed) {
  for (size_t offset = 0; offset < count; offset += sizeof seed) {
    // SplitMix64, as the tests' other random numbers.
    seed += 0x9E3779B97F4A7C15;
    uint64_t mixed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    mixed ^= mixed >> 31;
    size_t rest = count - offset;
    memcpy((char *)memory + offset, &mixed, rest < sizeof mixed ? rest : sizeof mixed);
  }
}
