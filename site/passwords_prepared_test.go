package site

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
)

// A password that was prepared stays the account's, however often a run is begun; the
// lists get those of accounts that were made, and the others wait.
func TestPreparedPasswords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &Site{stateDir: dir}
	p := &passwords{dir: filepath.Join(dir, "lists"), out: &s.handOut, file: filepath.Join(dir, "prepared"),
		prepared: map[string]preparedPassword{}}
	for _, name := range []string{"ida.abel", "udo.boll"} {
		a := &schoolmail.Account{Username: name, DisplayName: name}
		p.prepareOne(a, "../ps-a")
		first := p.prepared[name].Password
		if changed := p.prepareOne(a, "../ps-a"); changed || first == "" || p.prepared[name].Password != first {
			t.Errorf("%s: %q became %q", name, first, p.prepared[name].Password)
		}
	}
	ida, udo := p.prepared["ida.abel"].Password, p.prepared["udo.boll"].Password
	if err := p.publish(func(name string) bool { return name == "ida.abel" }); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(dir, "lists", "___ps-a.csv"))
	if err != nil || !strings.Contains(string(list), ida) || strings.Contains(string(list), udo) {
		t.Errorf("the list: %v\n%s", err, list)
	}
	if len(p.prepared) != 1 || p.prepared["udo.boll"].Password != udo {
		t.Errorf("%d passwords wait", len(p.prepared))
	}
}
