/// The figures as a picture.
struct Chart {
  let svg: String
  init(_ report: BenchReport) { svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n" }
}
