package ox

import (
	"errors"
	"slices"
	"strings"
)

// CapabilityChange changes the capabilities that are stored for a user or a
// context, beside those that follow from module access and configuration.
// Names of module permissions (webmail, calendar, ...) are refused.
type CapabilityChange struct {
	Grant  []string // given explicitly
	Deny   []string // taken away explicitly
	Remove []string // no longer stored, so that the configuration decides
}

func (ch CapabilityChange) isZero() bool { return len(ch.Grant)+len(ch.Deny)+len(ch.Remove) == 0 }

var errNoCapabilities = errors.New("no capabilities given")

func commaList(names []string) *string {
	if len(names) == 0 {
		return nil
	}
	return new(strings.Join(names, ","))
}

// capabilitiesFrom reads "a, b" or "There are no capabilities set for ...".
func capabilitiesFrom(s string) []string {
	if s == "" || strings.HasPrefix(s, "There are no capabilities") {
		return nil
	}
	var out []string
	for name := range strings.SplitSeq(s, ",") {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
