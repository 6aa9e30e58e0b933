package schoolmail

import "testing"

// Somebody with one name, and that of a Windows device, gets another user name and
// another address.
func TestDeviceNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ given, username, address string }{
		{"Con", "con2", "con2@pupils.example"}, {"Aux", "aux2", "aux2@pupils.example"},
		{"Nul", "nul2", "nul2@pupils.example"}, {"Conny", "conny", "conny@pupils.example"},
	} {
		n := newNames(&State{}, nil, 1)
		if got := n.username(usernameBase(c.given, "", 15), 15); got != c.username {
			t.Errorf("%s: user name %s, want %s", c.given, got, c.username)
		}
		if got := n.address(addressBase(c.given, "") + "@pupils.example"); got != c.address {
			t.Errorf("%s: address %s, want %s", c.given, got, c.address)
		}
	}
}
