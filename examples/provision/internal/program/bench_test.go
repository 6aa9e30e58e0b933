package program

import (
	"io"
	"testing"

	"github.com/ictmedia/schoolmail/site/sitetest"
)

// BenchmarkYear plays the year of a district of 1,000 people, simulators
// included, and reports requests per person and act.
func BenchmarkYear(b *testing.B) {
	const people = 1000
	for b.Loop() {
		sb, err := sitetest.Start(sitetest.WithPeople(people))
		if err != nil {
			b.Fatal(err)
		}
		acts, err := Year(b.Context(), sb, newProgress(io.Discard, false))
		sb.Close()
		if err != nil {
			b.Fatal(err)
		}
		for server, n := range acts[0].Requests {
			b.ReportMetric(float64(n)/people, server+"/person-created")
		}
	}
}
