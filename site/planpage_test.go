package site

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
)

// The page of a plan shows every step with name, record and what changes, under the
// heading of its school, and nothing that the export says can become markup.
func TestPlanPage(t *testing.T) {
	t.Parallel()
	before := schoolmail.Account{Key: schoolmail.RecordKey{Source: "escada", ID: "4711"}, Username: "ida.abel",
		DisplayName: "Ida <Abel>", State: schoolmail.Active, Memberships: []schoolmail.Membership{{School: "ps-a"}}}
	after := before
	after.Memberships = []schoolmail.Membership{{School: "ps-b", Classes: []string{"3b"}}}
	step := schoolmail.Step{ID: "change:escada/4711", Subject: "ida.abel", Key: before.Key, School: "ps-b",
		Reason: "moves",
		Action: schoolmail.ChangeAccount{Before: before, After: after, Fields: []string{"memberships"}}}
	plan := &schoolmail.Plan{Header: schoolmail.Header{ID: "abc", Now: schoolmail.NewDate(2027, 8, 2)},
		Steps: []schoolmail.Step{step}, Held: []schoolmail.Held{{Step: step, Why: "too many", Guard: "schools"}}}
	var b bytes.Buffer
	if err := WritePlanHTML(&b, "District", "", plan); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<h2>ps-b</h2>", "Ida &lt;Abel&gt;", "escada/4711",
		`memberships: <span class="old">ps-a</span> → ps-b 3b`, "too many [guard schools]",
		"More people would change school at once"} {
		if !strings.Contains(plain(b.String()), want) {
			t.Errorf("nothing about %q in\n%s", want, b.String())
		}
	}
}

// plain is a page without what only says where its lines break.
func plain(page string) string {
	page = regexp.MustCompile(`<span class="nb">([^<]*)</span>`).ReplaceAllString(page, "$1")
	return strings.ReplaceAll(page, "<wbr />", "")
}
