// Package programtest plays the programs in their tests: with arguments, and against
// a sandbox in which people have their accounts already.
package programtest

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// Main is a program without its process.
type Main func(ctx context.Context, args []string, stdout, stderr io.Writer) (status int)

// Call runs a program and returns its exit status and what it printed.
func (m Main) Call(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = m(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

// Populated starts a sandbox with people, which ends with the test, and writes its
// district.toml.
func Populated(t *testing.T, people int) (p *sitetest.Populated, file string) {
	t.Helper()
	p = testlife.Of(sitetest.StartPopulated(t.Context(), sitetest.WithPeople(people)))(t)
	dir := t.TempDir()
	if err := p.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	return p, filepath.Join(dir, "district.toml")
}

// Impatient lets the programs wait for a database that is being updated one second
// only.
func Impatient(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte("\n[ox]\n"), []byte("\n[ox]\nupdate_wait_seconds = 1\n"), 1)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
