package books

import (
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/internal/programtest"
)

// With a configuration: people from the directory over LDAP, books into OX, the
// second run with nothing to do, and the same from the sandbox without one.
func TestSandboxConfig(t *testing.T) {
	t.Parallel()
	_, file := programtest.Populated(t, 60)
	run := func(apply bool) string {
		t.Helper()
		j, err := Open(t.Context(), file, &Options{Apply: apply})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if held, err := j.Run(t.Context(), &b, apply, false); err != nil || held {
			t.Errorf("held %v, %v\n%s", held, err, b.String())
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
		return b.String()
	}
	if plan := run(false); !strings.Contains(plan, "1a") {
		t.Errorf("the plan has no class:\n%s", plan)
	}
	if done := run(true); !strings.Contains(done, "context 10 done: folders +") {
		t.Errorf("applied:\n%s", done)
	}
	if again := run(true); strings.Contains(again, "folders +") && !strings.Contains(again, "folders +0") ||
		strings.Contains(again, "entries +") && !strings.Contains(again, "entries +0") {
		t.Errorf("the second run:\n%s", again)
	}
	j, err := Open(t.Context(), "", &Options{People: 60})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if len(j.Accounts) < 60 {
		t.Errorf("%d people in the sandbox", len(j.Accounts))
	}
}
