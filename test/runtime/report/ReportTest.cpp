// The report page is one file and loads nothing. No run's name can become part
// of the page's code.
#include "runtime/report/report.h"

#include "runtime/formats/json.h"
#include "test/runtime/core/temporary_folder.h"

#include <gtest/gtest.h>

#include <cmath>

namespace nibble {
namespace {

RunSeries makeRun(std::string name, int64_t steps) {
  RunSeries run{std::move(name), {}};
  for (int64_t step = 0; step < steps; ++step) {
    StepMetrics metrics{step,
                        {{"reward_mean", step / 8.0}, {"time_train", 0.5}}};
    if (step % 2 == 0)
      metrics.values["heldout_reward"] = step == 2 ? std::nan("") : 0.25;
    run.steps.push_back(std::move(metrics));
  }
  return run;
}

// The data that the page's script reads.
Json dataOf(const std::string &page) {
  std::string opening = "<script type=\"application/json\" id=\"data\">";
  size_t begin = page.find(opening) + opening.size();
  Result<Json> data =
      parseJson(std::string_view(page).substr(
                    begin, page.find("</script>", begin) - begin),
                "page");
  EXPECT_TRUE(data.isOk()) << data.status().message();
  return data.isOk() ? *data : Json();
}

size_t count(std::string_view text, std::string_view what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != std::string_view::npos;
       at = text.find(what, at + 1))
    ++found;
  return found;
}

TEST(Report, HoldsTheNumbersOfEveryRun) {
  std::vector<RunSeries> runs = {makeRun("first", 4), makeRun("second", 2)};
  Json data = dataOf(renderReport(runs));
  ASSERT_EQ(data["runs"].size(), 2u);
  EXPECT_EQ(data["runs"][0]["name"], "first");
  EXPECT_EQ(
      data["runs"][0]["columns"],
      Json::parse(R"({"step":[0,1,2,3],"reward_mean":[0.0,0.125,0.25,0.375],
      "time_train":[0.5,0.5,0.5,0.5],"heldout_reward":[0.25,null,null,null]})"));
  EXPECT_EQ(data["runs"][1]["columns"]["step"].size(), 2u);
}

TEST(Report, IsOneFileThatLoadsNothing) {
  std::vector<RunSeries> runs = {makeRun("run", 3)};
  std::string page = renderReport(runs);
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>"));
  for (const char *loading : {"http:", "https:", "src=", "@import", "url(",
                              "fetch(", "XMLHttpRequest", "{{"})
    EXPECT_EQ(count(page, loading), 0u) << loading;
  EXPECT_EQ(count(page, "default-src 'none'"), 1u);
  EXPECT_EQ(page, renderReport(runs));
}

TEST(Report, NamesAreText) {
  std::string name =
      "</script><script>alert(1)</script> {{style}} & \"quoted\" \xFF";
  std::vector<RunSeries> runs = {makeRun(name, 1)};
  std::string page = renderReport(runs);
  // Those of the data and of the script.
  EXPECT_EQ(count(page, "</script>"), 2u);
  EXPECT_EQ(dataOf(page)["runs"][0]["name"],
            name.substr(0, name.size() - 1) + "\uFFFD");
}

TEST(Report, IsWritten) {
  test::TemporaryFolder folder;
  std::vector<RunSeries> runs = {makeRun("run", 0)};
  Status status = writeReport(runs, folder.path() / "report.html");
  ASSERT_TRUE(status.isOk()) << status.message();
  EXPECT_EQ(*readFile(folder.path() / "report.html"), renderReport(runs));
  EXPECT_EQ(writeReport({}, folder.path() / "none.html").code(), Code::kUsage);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "none.html"));
}

} // namespace
} // namespace nibble
