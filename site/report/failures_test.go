package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The same failure of many people is one line with a count and three names.
func TestFailureGroups(t *testing.T) {
	t.Parallel()
	var a Act
	a.Failures = append(a.Failures, Failure{Kind: "change", Subject: "zoe.kunz", Error: "account zoe.kunz ... is on hold",
		Cause: "changed"})
	for i := range 60 {
		n := fmt.Sprint("p", i, ".abel")
		a.Failures = append(a.Failures, Failure{Kind: "create", Subject: n,
			Error: "ensure-user " + n + ": authentication failed (exceptionId -12-" + fmt.Sprint(i) + ")"})
	}
	want := []FailureGroup{
		{Kind: "create", Error: "ensure-user ...: authentication failed", Cause: "other"},
		{Kind: "change", Error: "account zoe.kunz ... is on hold", Cause: "changed",
			Subjects: []string{"zoe.kunz"}},
	}
	got := a.FailureGroups()
	if len(got) == 2 && len(got[0].Subjects) == 60 && got[0].Names() == "p0.abel, p1.abel, p2.abel, ..." {
		got[0].Subjects = nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var b strings.Builder
	a.textFailures(&b)
	if text := b.String(); strings.Count(text, "\n") != 4 || !strings.Contains(text,
		"60 x create: ensure-user ...: authentication failed (p0.abel,") {
		t.Error(text)
	}
	var page strings.Builder
	if err := (&Report{Acts: []Act{a}}).WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(page.String(), "authentication failed"); n != 1 ||
		!strings.Contains(page.String(), `<td class="n" data-l="Steps">60</td>`) ||
		strings.Contains(page.String(), "p4.abel") {
		t.Errorf("the page names the cause %d times", n)
	}
}
