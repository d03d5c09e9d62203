// Memory that was freed, but is still the process's.
#pragma once

namespace narthex {

// Gives what is free on the heap back to the system. Takes some milliseconds, in which others wait that need
// memory: for after heavy work.
void ReleaseFreeHeap();

}  // namespace narthex
