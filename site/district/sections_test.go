package district

import (
	"reflect"
	"testing"
)

// Each section has somebody who reads it: one that nobody reads would be passed over
// without a word, whatever it says.
func TestEverySectionIsRead(t *testing.T) {
	t.Parallel()
	c := reflect.TypeFor[Config]()
	for i := range c.NumField() {
		if name := c.Field(i).Tag.Get("toml"); name != "-" && len(readers[name]) == 0 {
			t.Errorf("no program reads [%s]", name)
		}
	}
}

// Watch reads what the two programs read whose work it does.
func TestWatchReadsWhatItDoes(t *testing.T) {
	t.Parallel()
	for name, by := range readers {
		does, reads := false, false
		for _, p := range by {
			does = does || p == Provision || p == Addressbooks
			reads = reads || p == Watch
		}
		if does && !reads {
			t.Errorf("watch does not read [%s]", name)
		}
	}
}
