// Package soap is a SOAP 1.1 document/literal runtime for the generated types
// under ox/internal: it encodes a request struct into an envelope, posts it,
// and decodes the answer or the fault. The simulator uses the same codec the
// other way round.
//
// # Calls
//
// A [Client] is made from the base address of a server's web services and can
// be shared by goroutines. [Client.Call] carries out one [Operation]; the
// method is the interface [Caller], where retries, scheduling, logging and
// tests plug in. A call never repeats a request by itself.
//
// A list answer can be far larger than what the caller keeps (12 KB of XML for
// each OX user, nearly all of it xsi:nil). Pass an [Each] instead of a response
// struct, or use [Returns], and the elements named "return" are handed over one
// by one while the answer arrives.
//
// # Absent, nil, empty
//
// Elements with xsi:nil="true" are skipped, as if they were absent: the field
// stays nil. An empty element gives a pointer to an empty string. A request
// leaves nil fields out; it cannot send xsi:nil, which OX treats as absent.
//
// # Errors
//
// What can go wrong has four types: [*Fault] when the server answers with a
// SOAP fault, [*HTTPError] when it answers with something else, [*ProtocolError]
// when the answer is broken or cut off, [*TransportError] when there is no
// answer; its NotSent field says whether the server can have seen the request. None of them
// holds a request or an answer body: both carry passwords.
package soap
