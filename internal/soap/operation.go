package soap

import "encoding/xml"

// Operation describes one operation of a service, as its WSDL declares it.
// The generated packages hold one variable per operation and a table of all.
type Operation struct {
	// Service is the name of the service and the last segment of its path.
	Service string
	// Name is the operation's name, for example "createByModuleAccessName".
	Name string
	// Action is the value of the SOAPAction header, without quotes.
	Action string
	// Request is the qualified name of the element inside the request's Body.
	Request xml.Name
	// Response is the name of the element inside the answer's Body, or the zero
	// Name for a void operation, which answers with an empty Body.
	Response xml.Name
	// Faults lists the declared fault kinds, in the WSDL's order.
	Faults []string
	// NewRequest returns a pointer to a new request struct.
	NewRequest func() any
	// NewResponse returns a pointer to a new response struct; nil for a void operation.
	NewResponse func() any
}

// Void reports whether the operation answers with an empty Body.
func (o *Operation) Void() bool { return o.Response.Local == "" }

// String returns "Service.operation".
func (o *Operation) String() string { return o.Service + "." + o.Name }
