package probe

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// A context whose database stays locked is told of and left out of the verdict's
// proof; the others are probed, and the exit status says that something is missing.
func TestContextThatIsBeingUpdated(t *testing.T) {
	t.Parallel()
	p := testlife.Of(sitetest.StartPopulated(t.Context(), sitetest.WithPeople(80)))(t)
	file := filepath.Join(t.TempDir(), "district.toml")
	if err := p.WriteDir(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte("\n[ox]\n"), []byte("\n[ox]\nupdate_wait_seconds = 1\n"), 1)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
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
