#include "base/heap.h"

#include <malloc.h>

namespace narthex {

void ReleaseFreeHeap() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace narthex
