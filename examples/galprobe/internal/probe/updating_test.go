package probe

import (
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/internal/programtest"
)

// A context whose database stays locked is told of and left out of the verdict's
// proof; the others are probed, and the exit status says that something is missing.
func TestContextThatIsBeingUpdated(t *testing.T) {
	t.Parallel()
	p, file := programtest.Populated(t, 80)
	programtest.Impatient(t, file)
	const locked, schema = 32, "oxdatabase_7"
	state := p.OX.State()
	if err := state.SetSchema(locked, schema); err != nil {
		t.Fatal(err)
	}
	state.SetUpdating(schema, true)
	status, out, errs := start(t, "-config", file)
	if status != cli.Held || !strings.Contains(out, "context 32") || !strings.Contains(out, "being updated") ||
		!strings.Contains(out, "context 31") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	state.SetUpdating(schema, false)
	if status, out, errs := start(t, "-config", file); status == cli.Failed || strings.Contains(out, "being updated") {
		t.Errorf("afterwards:\n%s%s", out, errs)
	}
}
