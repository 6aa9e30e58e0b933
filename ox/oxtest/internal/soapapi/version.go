package soapapi

// Version says which release's interface a server offers.
type Version int

const (
	// Version8 is OX App Suite 8.19.
	Version8 Version = iota
	// Version710 is OX 7.10.6: the elements that came later (length and offset of
	// user lists, gabMode, resource permissions, images, two user fields) are
	// refused as unknown.
	Version710
)
