// One HTTP/1 answer, read as its bytes come; Boost.Beast is behind it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace narthex {

// What is read goes here.
class Http1Events {
 public:
  struct Head {
    int status = 0;
    std::string_view reason, content_type, content_encoding, location;
    uint64_t content_length = 0;  // 0: not said, or nothing
  };
  virtual void OnHead(const Head& head) = 0;
  virtual void OnBody(std::string_view bytes) = 0;  // chunks are put together

 protected:
  ~Http1Events() = default;
};

// As lenient as it takes: lines may end in LF alone, the status may have no words. Not thread-safe; owner:
// one connection.
class Http1Answer {
 public:
  enum class State { kMore, kDone, kBroken };

  explicit Http1Answer(Http1Events* events);
  ~Http1Answer();
  // Forgets everything: the next answer begins.
  void Begin();
  State Add(std::string_view bytes);
  State End();  // the connection has ended
  // What is broken, as Go's net/http says it. REQUIRES: kBroken
  const std::string& error() const { return error_; }
  // Whether the connection may take another request. REQUIRES: kDone
  bool keep_alive() const;

 private:
  struct Parser;
  bool TakeHead(std::string_view* bytes);
  State Parse(std::string_view bytes);
  State Broken(std::string error);

  Http1Events* const events_;
  std::unique_ptr<Parser> parser_;
  bool in_head_ = true, excess_ = false;
  std::string rest_;  // received, but not enough of it to be read
  std::string error_;
};

}  // namespace narthex
