package escada_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/escada"
)

func TestStartersAreProfiles(t *testing.T) {
	t.Parallel()
	for _, name := range escada.Starters() {
		p, err := escada.Starter(name)
		if err != nil {
			t.Fatal(err)
		}
		if p.Name != name || p.Follows == "" {
			t.Errorf("%s: name %q, follows %q", name, p.Name, p.Follows)
		}
		text, err := p.TOML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := escada.ParseProfile(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(p, again); diff != "" {
			t.Errorf("%s does not survive TOML:\n%s", name, diff)
		}
	}
}
