// A packed checkpoint that a test may change, tensors and config.json.
#pragma once

#include "runtime/formats/checkpoint/quantized_checkpoint.h"
#include "test/runtime/formats/scratch.h"

namespace nibble::testing {

inline const std::string kQ = "model.layers.0.self_attn.q_proj.weight";

// A packed copy of llama whose tensors and config a test may change before it
// is opened again.
class Damaged : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(writeQuantizedCheckpoint(
                    fixture("llama"), folder_,
                    numerics::Scheme{numerics::Kind::kInt4, 32}, {kQ})
                    .isOk());
    auto checkpoint = Checkpoint::open(folder_);
    ASSERT_TRUE(checkpoint.isOk());
    for (const std::string &name : checkpoint->names())
      tensors_[name] = *checkpoint->read(name);
    config_ = Json::parse(contentOf(folder_ + "/config.json"));
    ignored_ = ignore().get<std::vector<std::string>>();
  }
  void replace(const std::string &name, DType dtype, Shape shape) {
    tensors_[name] = *Tensor::create(dtype, std::move(shape));
  }
  void save() {
    std::vector<NamedTensor> named;
    for (const auto &[name, tensor] : tensors_)
      named.push_back({name, tensor.view()});
    ASSERT_TRUE(writeSafetensors(folder_ + "/model.safetensors", named).isOk());
    putContent(folder_ + "/config.json", config_.dump());
  }
  void refuses(std::initializer_list<std::string> words) {
    save();
    EXPECT_TRUE(fails(QuantizedCheckpoint::open(folder_).status(),
                      Code::kBadInput, words));
  }
  void refusesToRead(std::initializer_list<std::string> words) {
    save();
    auto opened = QuantizedCheckpoint::open(folder_);
    ASSERT_TRUE(opened.isOk()) << opened.status().message();
    EXPECT_TRUE(fails(opened->read(kQ).status(), Code::kBadInput, words));
  }
  Json &weights() {
    return config_["quantization_config"]["config_groups"]["group_0"]
                  ["weights"];
  }
  Json &ignore() { return config_["quantization_config"]["ignore"]; }

  Scratch scratch_;
  std::string folder_ = scratch_ / "packed";
  std::map<std::string, Tensor> tensors_;
  Json config_;
  std::vector<std::string> ignored_; // as written
};

} // namespace nibble::testing
