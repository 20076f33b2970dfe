// Built where there is no libseccomp.
#include "system_calls.hpp"

namespace pollflow::app {

bool filter_system_calls() {
  return false;
}

}  // namespace pollflow::app
