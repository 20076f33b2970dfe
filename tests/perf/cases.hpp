#pragma once

#include <string>
#include <vector>

#include "run.hpp"

namespace pollflow::perf {

// What a case needs grows with it, so it is made when its turn comes.
struct NamedCase {
  std::string name;
  Case (*make)(const Options& options);
};

std::vector<NamedCase> cases();

}  // namespace pollflow::perf
