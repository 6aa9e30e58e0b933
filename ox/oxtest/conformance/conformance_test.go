package conformance_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/lacking"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/oxtest"
	"github.com/ictmedia/schoolmail/ox/oxtest/conformance"
)

var master = ox.Credentials{Login: "oxadminmaster", Password: "secret"}

func TestSimulator(t *testing.T) {
	t.Parallel()
	srv := oxtest.New()
	defer srv.Close()
	report, err := conformance.Check(context.Background(), conformance.Target{URL: "http://ox.example/webservices",
		Master:  master,
		Context: 900, HTTPClient: srv.HTTPClient()})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", report)
	for _, r := range report.Refuted() {
		t.Errorf("%s: %s: %v", r.ID, r.Text, r.Err)
	}
	if n := len(srv.State().Contexts()); n != 0 {
		t.Errorf("%d contexts are left", n)
	}
}

// TestRefutation: a server that does otherwise is found out.
func TestRefutation(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		opt     oxtest.Option
		refuted string
	}{
		"no detail":            {oxtest.WithoutFaultDetail(), "incident-ids"},
		"shared display names": {oxtest.WithSharedDisplayNames(), "display-name-taken"},
		"bypassed checks":      {oxtest.WithBypassedAccessChecks(), "book-and-public-folders"},
		"old version":          {oxtest.WithVersion(oxtest.Version710), "page-by-id"},
		"no user copy":         {oxtest.WithoutUserCopy(), "copy-twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := oxtest.New(tt.opt)
			defer srv.Close()
			report, err := conformance.Check(context.Background(), conformance.Target{URL: "http://ox.example/webservices",
				Master:  master,
				Context: 900, HTTPClient: srv.HTTPClient()})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(report.String(), "REFUTED    "+tt.refuted+": ") {
				t.Errorf("%s was not refuted:\n%s", tt.refuted, report)
			}
		})
	}
}

func TestFactsAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range conformance.Facts() {
		if seen[f.ID] || seen[f.Text] || f.ID == "" || f.Text == "" {
			t.Errorf("fact %q is there twice or has no text", f.ID)
		}
		seen[f.ID], seen[f.Text] = true, true
	}
}

// TestRealServer asks the server that the environment names.
func TestRealServer(t *testing.T) {
	url := os.Getenv("SCHOOLMAIL_OX_URL")
	if url == "" {
		lacking.SkipAnyway(t, "a real Open-Xchange (SCHOOLMAIL_OX_URL, _LOGIN, _PASSWORD, _CONTEXT)")
	}
	id, err := strconv.Atoi(os.Getenv("SCHOOLMAIL_OX_CONTEXT"))
	if err != nil || id <= 0 {
		t.Fatal("SCHOOLMAIL_OX_CONTEXT must be the first of two free context ids")
	}
	report, err := conformance.Check(context.Background(), conformance.Target{URL: url, Context: schoolmail.ContextID(id),
		Master: ox.Credentials{Login: os.Getenv("SCHOOLMAIL_OX_LOGIN"),
			Password: schoolmail.Secret(os.Getenv("SCHOOLMAIL_OX_PASSWORD"))}})
	t.Logf("\n%s", report)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(report.Refuted()); n > 0 {
		t.Errorf("%d facts refuted", n)
	}
}

func Example() {
	srv, err := oxtest.Start()
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	report, err := conformance.Check(context.Background(), conformance.Target{URL: srv.SOAPURL, Context: 900,
		Master: ox.Credentials{Login: "oxadminmaster", Password: "secret"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report[0].ID, report[0].Err, len(report.Refuted()))
	// Output: void-empty-body <nil> 0
}
