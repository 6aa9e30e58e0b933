package site

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
)

// A school gets the lines about its own people, in its languages, and nothing of others.
func TestAcknowledgementBySchool(t *testing.T) {
	t.Parallel()
	d := &schoolmail.Delivery{Rejected: []schoolmail.Rejection{
		{Key: schoolmail.RecordKey{Source: "escada", ID: "1"}, School: "ps-a", Kind: schoolmail.RejectedMissing,
			Position: schoolmail.Position{File: "s.csv", Line: 3, Column: "Name"}, Reason: "as in ps-b"},
		{Key: schoolmail.RecordKey{Source: "escada", ID: "2"}, School: "ps-b", Kind: schoolmail.RejectedRepeat},
		{Kind: schoolmail.RejectedUnreadable},
	}}
	parts := acknowledge(d, &schoolmail.Plan{}, nil).bySchool()
	if len(parts) != 2 {
		t.Fatalf("%d schools, want 2", len(parts))
	}
	var b bytes.Buffer
	if err := parts["ps-a"].write(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if !strings.Contains(text, "Das Feld «Name» ist leer.;Le champ «Name» est vide.") ||
		strings.Contains(text, "ps-b") ||
		strings.Count(text, "\r\n") != 2 {
		t.Error(text)
	}
}
