// Package ox provisions Open-Xchange through its SOAP API.
package ox
