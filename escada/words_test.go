package escada_test

import (
	"testing"

	"github.com/ictmedia/schoolmail/escada"
)

// Every kind of mistake has words of its own in German and French.
func TestEveryKindHasWords(t *testing.T) {
	t.Parallel()
	otherGerman, otherFrench := escada.Kind("").Words()
	seen := map[string]escada.Kind{}
	for _, k := range escada.Kinds() {
		german, french := k.Words()
		if german == "" || french == "" || german == otherGerman || french == otherFrench {
			t.Errorf("%q: %q, %q", k, german, french)
		}
		if other, twice := seen[german]; twice {
			t.Errorf("%q and %q are told alike", k, other)
		}
		seen[german] = k
	}
	if german, _ := escada.Kind("new").Words(); german != otherGerman {
		t.Errorf("an unknown kind: %q", german)
	}
}
