package books

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/internal/programtest"
)

// A context whose database stays locked keeps the books that it has; the others get
// theirs, the exit status is 3, and the next run does the rest.
func TestContextThatIsBeingUpdated(t *testing.T) {
	t.Parallel()
	p, file := programtest.Populated(t, 80)
	programtest.Impatient(t, file)
	run := func(want int) string {
		var out, errs bytes.Buffer
		if status := Main(t.Context(), []string{"-config", file, "-apply"}, &out, &errs); status != want {
			t.Errorf("status %d, want %d\n%s%s", status, want, &out, &errs)
		}
		return out.String()
	}
	const locked, schema = 10, "oxdatabase_7"
	state := p.OX.State()
	if err := state.SetSchema(locked, schema); err != nil {
		t.Fatal(err)
	}
	before := state.Folders(locked)
	state.SetUpdating(schema, true)
	if out := run(3); !strings.Contains(out, "context 10: its database is being updated: left as it is") ||
		!strings.Contains(out, "context 21 done: folders +") {
		t.Errorf("locked:\n%s", out)
	}
	if diff := cmp.Diff(before, state.Folders(locked)); diff != "" {
		t.Error("books of the locked context were touched:", diff)
	}
	state.SetUpdating(schema, false)
	if out := run(0); !strings.Contains(out, "context 10 done: folders +") {
		t.Errorf("afterwards:\n%s", out)
	}
}
