# escape=`
FROM mcr.microsoft.com/windows/nanoserver:ltsc2022 `
  AS base
COPY a `
  b
FROM base
