#pragma once

#include <algorithm>
#include <boost/program_options/errors.hpp>
#include <string>

namespace pollflow {

// What Boost.Program_options says about a command line or a file. Its own what() puts names into a
// sentence for as long as it finds a place for them, so for ever when the name holds the place: as
// does the argument -%original_token%.
inline std::string boost_words(const boost::program_options::error& error) {
  using Named = boost::program_options::error_with_option_name;
  struct Harmless : Named {
    explicit Harmless(const Named& named) : Named(named) {
      for (auto& [place, name] : m_substitutions)
        std::ranges::replace(name, '%', '?');
    }
  };
  const auto* named = dynamic_cast<const Named*>(&error);
  return named == nullptr ? error.what() : Harmless(*named).what();
}

}  // namespace pollflow
