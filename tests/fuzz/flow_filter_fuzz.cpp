// The filters that an operator types: refused with a sentence, or meaning what their terms mean.
//
//   input: a flow key (16 bytes), the filter's text

#include <stdexcept>
#include <string>
#include <vector>

#include "flow/flow_filter.hpp"
#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "fuzz/sentence.hpp"

using namespace pollflow;
using namespace pollflow::test;
using flow::FlowFilter;

namespace {

using Words = std::vector<std::string>;

Words words_of(const std::string& text) {
  Words words(1);
  for (const char c : text) {
    if (c != ' ' && c != '\t') {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

// The filter's terms, each as a filter of its own.
Words terms_of(const Words& words) {
  Words terms;
  bool begin = true;
  for (const std::string& word : words) {
    if (begin) terms.emplace_back();
    begin = word == "and";
    if (!begin) terms.back() += word + ' ';
  }
  return terms;
}

// The same seen from the other side.
std::string mirrored(const Words& words) {
  std::string text;
  for (const std::string& word : words)
    text += (word == "src" ? "dst" : word == "dst" ? "src" : word) + ' ';
  return text;
}
packet::FlowKey mirrored(const packet::FlowKey& key) {
  packet::FlowKey other = key;
  std::swap(other.src, other.dst);
  std::swap(other.src_port, other.dst_port);
  return other;
}

void check(const FlowFilter& filter, const std::string& text, const packet::FlowKey& key) {
  const Words words = words_of(text);
  bool all = true;
  for (const std::string& term : terms_of(words))
    all = FlowFilter::parse(term).matches(key) && all;
  expect(filter.matches(key) == all, "a filter matches what each of its terms matches");
  expect(FlowFilter::parse(mirrored(words)).matches(mirrored(key)) == all,
         "with src and dst exchanged it matches the flow the other way round");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const packet::FlowKey key{.src = input.u32(),
                            .dst = input.u32(),
                            .src_port = input.u16(),
                            .dst_port = input.u16(),
                            .in_if = input.u16(),
                            .protocol = input.byte(),
                            .tos = input.byte()};
  const std::string text = input.text();
  try {
    check(FlowFilter::parse(text), text, key);
  } catch (const std::invalid_argument& refused) {
    expect_sentence(refused.what());
  }
  return 0;
}
