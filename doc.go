// Package schoolmail keeps a school authority's accounts, Open-Xchange
// places and mailboxes in step with the school administration's export.
package schoolmail
