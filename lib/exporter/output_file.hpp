#pragma once

#include <string>
#include <string_view>

namespace pollflow::exporter {

// A file that results are written to, "-" being standard output.
class OutputFile {
 public:
  // Creates or empties it; throws Failure, naming `option`, when it cannot.
  OutputFile(const std::string& path, std::string_view option);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  // How much of a text was taken, and the errno of the write that failed, 0 when none did.
  struct Written {
    size_t bytes;
    int error;
  };
  // Writes all of `text` if it can, waiting for a reader where there is one.
  Written write(std::string_view text) const noexcept;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  int file_;
};

}  // namespace pollflow::exporter
