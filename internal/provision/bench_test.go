package provision_test

import (
	"testing"

	"github.com/ictmedia/schoolmail/internal/provision"
	"github.com/ictmedia/schoolmail/internal/sandbox"
)

// BenchmarkYear plays the year of a district of 1,000 people, simulators
// included, and reports requests per person and act.
func BenchmarkYear(b *testing.B) {
	const people = 1000
	for b.Loop() {
		sb, err := sandbox.Start(&sandbox.Options{People: people})
		if err != nil {
			b.Fatal(err)
		}
		acts, err := provision.Year(b.Context(), sb, provision.Quiet{})
		sb.Close()
		if err != nil {
			b.Fatal(err)
		}
		for server, n := range acts[0].Requests {
			b.ReportMetric(float64(n)/people, server+"/person-created")
		}
	}
}
