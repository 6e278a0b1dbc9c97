# Joins the results of several kernels (swift-testing's --xunit-output, a file a kernel) to a table test x
# kernel, and says why tests were skipped or failed. NAMES are the columns' headings, with a comma between
# them. Ends with 1 where a test failed.

function unescaped(text) {
  gsub(/&#10;/, "; ", text)
  gsub(/&#8594;/, "=", text)
  gsub(/&quot;/, "\"", text)
  gsub(/&apos;|&#39;/, "'", text)
  gsub(/&lt;/, "<", text)
  gsub(/&gt;/, ">", text)
  gsub(/&amp;/, "\\&", text)
  return text
}

function attribute(name,   text) {
  if (!match($0, " " name "=\"[^\"]*\"")) return ""
  text = substr($0, RSTART, RLENGTH)
  sub(/^[^"]*"/, "", text)
  sub(/"$/, "", text)
  return unescaped(text)
}

# list KIND: the tests that came to this, on which kernel, and why.
function list(kind,   i, text) {
  for (i = 1; i <= count; i++) {
    for (run = 1; run <= runs; run++) {
      if (verdict[tests[i], run] == kind) {
        text = text "  " tests[i] ", " heading[run] ": " reason[tests[i], run] "\n"
      }
    }
  }
  if (text) printf "\n%s:\n%s", tolower(kind), text
}

BEGIN { runs = split(NAMES, heading, ",") }
FNR == 1 { run++ }

# A test that needs a lane comes twice: skipped, and then as it went in the lane.
/<testcase / {
  test = attribute("classname") "/" attribute("name")
  sub(/^[^.]*\./, "", test)
  if (!(test in seen)) { seen[test] = 1; tests[++count] = test }
  if (length(test) > width) width = length(test)
  verdict[test, run] = "ok"
}
/<failure/ {
  if (verdict[test, run] == "ok") reason[test, run] = ""
  reason[test, run] = reason[test, run] (reason[test, run] ? " | " : "") attribute("message")
  verdict[test, run] = "FAILED"
}
/<skipped/ {
  verdict[test, run] = "skipped"
  reason[test, run] = $0
  gsub(/^.*<skipped *(\/>|>)|<\/skipped>.*$/, "", reason[test, run])
  reason[test, run] = unescaped(reason[test, run])
}

END {
  printf "%-" width "s", "test"
  for (run = 1; run <= runs; run++) printf "  %-18s", heading[run]
  print ""
  fflush()
  for (i = 1; i <= count; i++) {
    row = sprintf("%-" width "s", tests[i])
    for (run = 1; run <= runs; run++) {
      result = verdict[tests[i], run]
      total[result, run]++
      if (result == "FAILED") failed = 1
      row = row sprintf("  %-18s", result ? result : "-")
    }
    print row | "sort"
  }
  close("sort")
  list("skipped")
  list("FAILED")
  print ""
  for (run = 1; run <= runs; run++) {
    printf "%s: %d passed, %d failed, %d skipped\n", heading[run], \
      total["ok", run], total["FAILED", run], total["skipped", run]
  }
  exit failed
}
