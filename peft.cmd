@echo off
rem Runs peft4j's command line from the sources. The first start, and each start after a change, builds; the others take a cached class path.
setlocal enabledelayedexpansion
set "ROOT=%~dp0"
set "JAVA=java"
if defined JAVA_HOME set "JAVA=%JAVA_HOME%\bin\java"
"%JAVA%" -version >nul 2>&1 || (echo peft: no Java found. Install a JDK 17 or newer, or set JAVA_HOME. 1>&2 & exit /b 1)
for /f "tokens=3" %%v in ('call "%JAVA%" -version 2^>^&1 ^| findstr /i version') do set "VERSION=%%~v"
for /f "delims=." %%v in ("%VERSION%") do set "MAJOR=%%v"
if %MAJOR% LSS 17 (echo peft: Java %MAJOR% is too old. Install a JDK 17 or newer, or set JAVA_HOME. 1>&2 & exit /b 1)
set "CLASSPATH_FILE=%ROOT%toolkit\target\peft.classpath"
set "CHANGED=yes"
if exist "%CLASSPATH_FILE%" (
  for /f %%c in ('powershell -NoProfile -Command "$t=(Get-Item '%CLASSPATH_FILE%').LastWriteTime; if (Get-ChildItem '%ROOT%pom.xml','%ROOT%toolkit\pom.xml','%ROOT%toolkit\src\main','%ROOT%notebooks\pom.xml','%ROOT%notebooks\src\main' -Recurse ^| Where-Object { $_.LastWriteTime -gt $t } ^| Select-Object -First 1) {'yes'} else {'no'}"') do set "CHANGED=%%c"
)
if "%CHANGED%"=="yes" (
  echo Building; the first time Maven fetches about 300 MB of libraries ... 1>&2
  if exist "%CLASSPATH_FILE%" del "%CLASSPATH_FILE%"
  call "%ROOT%mvnw.cmd" -q -f "%ROOT%pom.xml" -pl toolkit,notebooks -Dspotless.check.skip=true process-classes org.apache.maven.plugins:maven-dependency-plugin:build-classpath -Dmdep.outputFile=target/peft.classpath.new -Dmdep.includeScope=runtime 1>&2 || exit /b 1
  for /f "usebackq delims=" %%i in ("%CLASSPATH_FILE%.new") do set "OURS=%%i"
  for /f "usebackq delims=" %%i in ("%ROOT%notebooks\target\peft.classpath.new") do set "KERNELS=%%i"
  echo !OURS!;!KERNELS!>"%CLASSPATH_FILE%"
)
set "OPTIONS="
if %MAJOR% GEQ 22 set "OPTIONS=--enable-native-access=ALL-UNNAMED"
if %MAJOR% GEQ 24 set "OPTIONS=!OPTIONS! --sun-misc-unsafe-memory-access=allow"
for /f "usebackq delims=" %%i in ("%CLASSPATH_FILE%") do set "DEPENDENCIES=%%i"
set "CLASSPATH=%ROOT%toolkit\target\classes;%ROOT%notebooks\target\classes;%DEPENDENCIES%"
"%JAVA%" %OPTIONS% "-Dpeft4j.root=%ROOT:~0,-1%" -Djava.awt.headless=true -Dorg.slf4j.simpleLogger.defaultLogLevel=error %PEFT4J_JAVA_OPTIONS% org.peft4j.cli.Main %*
