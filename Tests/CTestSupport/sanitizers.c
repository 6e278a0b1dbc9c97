#include "CTestSupport.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

bool cts_is_sanitized(void) {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return true;
#else
  return false;
#endif
}
